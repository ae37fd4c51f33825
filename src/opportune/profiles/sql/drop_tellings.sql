-- Tellings of which nothing counts any more, of whoever told something just now.
with teller_id as (
    select distinct holder(user_id, anonymous_id, %(blocked)s, %(blocked_patterns)s) as identifier_id
    from teller
)
delete from telling
using teller_id
where telling.identifier_id = teller_id.identifier_id
    and not exists (
        select
        from identifier as own
        join identifier as every on every.profile_id = own.profile_id
        where own.identifier_id = telling.identifier_id and every.told ? telling.said_at
        -- Looked up row by row.
        offset 0
    )
