-- What is not published any more, and nobody is left to be removed from; of a destination that is no more, nobody is.
with over as (
    select publication_id
    from audience_publication as known
    where known.segments = '{}' and (
        known.destination <> all (%(destinations)s::text[])
        or not exists (
            select from audience_published as told where told.publication_id = known.publication_id
        )
    )
),
forgotten as (
    delete from audience_published
    using over
    where audience_published.publication_id = over.publication_id
)
delete from audience_publication
using over
where audience_publication.publication_id = over.publication_id
