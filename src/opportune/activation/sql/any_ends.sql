-- Whether anything waits that an event can end: mostly not, and then nothing is compared.
select exists (select from outbox where state = 'pending' and ends_on is not null) as is_any
