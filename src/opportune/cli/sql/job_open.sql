-- Open until the job was done, also while nobody has scheduled it yet.
select not exists (
    select from job where kind = 'decide_day' and key = %(key)s and done_at is not null
) as is_open
