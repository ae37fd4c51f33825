-- The views of the list of people that somebody kept.
select title, segment, columns, sort, descending, kept_by, kept_at from people_view order by lower(title), title
