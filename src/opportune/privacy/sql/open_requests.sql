-- Whether there is something to do for anybody who waits to be forgotten: a request that is new, one for which no
-- destination is still to be told, or one that has waited for that long enough.
select case
    when exists (select from privacy_request where state = 'received') then true
    when exists (
        select from privacy_request
        where state = 'running' and started_at <= %(now)s - make_interval(secs => %(longest_s)s)
    ) then true
    when exists (select from privacy_request where state = 'running') then not exists (
        select from outbox
        where strpos(key, '/forgotten:') > 0 and state in ('pending', 'reserved', 'unknown')
    )
    else false
end as open
