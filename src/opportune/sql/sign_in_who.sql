-- Whose session or token it is, if it is anybody's.
select name from sign_in
where digest = %(digest)s and kind = %(kind)s and (ends_at is null or ends_at > %(now)s)
