-- The version of the rules of consent, and by which versions the stored events were read; 0: never.
select
    coalesce((select max(version) from definition where kind = 'settings' and name = 'consent'), 0) as consent,
    coalesce((select version from events_read where subject = 'consent'), 0) as consent_read,
    coalesce((select version from events_read where subject = 'accounts'), 0) as accounts_read
