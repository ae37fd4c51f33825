-- Who may come in, and until when.
select name, kind, made_at, ends_at from sign_in
where ends_at is null or ends_at > %(now)s
order by name, kind, made_at, digest
