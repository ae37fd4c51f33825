-- Whether anybody waits to be forgotten.
select exists (select from privacy_request where state <> 'done') as open
