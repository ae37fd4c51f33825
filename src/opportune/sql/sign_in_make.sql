-- Keeps the digest of a new link or token, and lets go of what is over.
with over as (
    delete from sign_in where ends_at <= %(now)s
)
insert into sign_in (digest, kind, name, made_at, ends_at)
values (%(digest)s, %(kind)s, %(name)s, %(now)s, %(ends_at)s)
