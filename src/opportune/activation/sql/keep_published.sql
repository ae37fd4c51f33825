-- What destinations know from now on, and that they were told of these people.
with gone as (
    delete from audience_published as told
    using audience_change as change
    where not change.is_in and told.publication_id = change.publication_id
        and told.identifier_id = change.identifier_id
),
come as (
    insert into audience_published (publication_id, identifier_id, profile_id, kind, value, published_at)
    select publication_id, identifier_id, profile_id, kind, value, %(now)s
    from audience_change
    where is_in
    order by publication_id, identifier_id
    on conflict (publication_id, identifier_id) do update set profile_id = excluded.profile_id
),
told as (
    insert into destination_told (destination, identifier_id)
    select distinct destination, identifier_id
    from audience_change
    where is_in and not was_in
    order by destination, identifier_id
    on conflict do nothing
)
update audience_publication set published_at = %(now)s
where publication_id in (select publication_id from audience_change where is_in <> was_in)
