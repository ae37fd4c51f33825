-- Turns a link into a session: of two who use it at once, one gets in.
with used as (
    delete from sign_in
    where digest = %(link)s and kind = 'link' and ends_at > %(now)s
    returning name
)
insert into sign_in (digest, kind, name, made_at, ends_at)
select %(session)s, 'session', name, %(now)s, %(ends_at)s from used
returning name
