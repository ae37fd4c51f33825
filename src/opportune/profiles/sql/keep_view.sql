-- Keeps a view; one of the same title is replaced.
insert into people_view (title, segment, columns, sort, descending, kept_by, kept_at)
values (%(title)s, %(segment)s, %(columns)s, %(sort)s, %(descending)s, %(by)s, %(now)s)
on conflict (title) do update set segment = excluded.segment, columns = excluded.columns, sort = excluded.sort,
    descending = excluded.descending, kept_by = excluded.kept_by, kept_at = excluded.kept_at
