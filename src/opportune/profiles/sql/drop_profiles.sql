-- Profiles without an identifier: others have taken all of them in.
delete from profile
where profile_id = any (%(profiles)s::bigint[])
    and not exists (select from identifier where identifier.profile_id = profile.profile_id)
