-- Whether any audience is published, or was and is still to be taken back.
select exists (select from audience_publication) as is_published
