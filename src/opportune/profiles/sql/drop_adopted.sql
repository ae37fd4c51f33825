-- Nothing points to an anonymous profile any more once its identifier has a user id.
delete from profile
using (select distinct anonymous_id from incoming where user_id is not null) as login
join identifier as link on link.kind = 'anonymous_id' and link.value = login.anonymous_id
where profile.profile_id = identity_hash('anonymous_id', link.value)
    and link.profile_id <> profile.profile_id
