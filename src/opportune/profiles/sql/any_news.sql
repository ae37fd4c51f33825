-- Whether anything has to be linked: most batches name nobody new, and nothing new of anybody.
select exists (select from named where profile_id is null or sighted_earlier)
    or exists (select from candidate) as news
