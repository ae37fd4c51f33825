-- Every audience at every destination, and how many it was told to be in there.
select publication.audience, publication.destination,
    (
        select count(*) from audience_published as told where told.publication_id = publication.publication_id
    ) as members,
    publication.filled is not null as is_ready, publication.refused, publication.published_at
from audience_publication as publication
order by publication.audience, publication.destination
