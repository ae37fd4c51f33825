-- Hold so much of the budget as is left, up to what is needed, and tell what people had who asked before. No row: a day was
-- decided since, or is being decided.
with free as (
    select use_case, greatest(least(%(need)s::bigint, %(limit)s::bigint - kept - held), 0) as granted,
        %(limit)s::bigint - kept - held as spare
    from on_request
    where use_case = %(use_case)s and epoch = %(epoch)s and deciding is null
    for update
),
taken as (
    update on_request set held = on_request.held + free.granted
    from free
    where on_request.use_case = free.use_case and free.granted > 0
)
select granted, greatest(spare - granted, 0) as spare,
    (
        select coalesce(jsonb_agg(jsonb_build_array(before.user_id, before.contact, before.had)), '[]')
        from asked_decision as before
        where before.use_case = free.use_case and before.user_id = any(%(user_ids)s::text[]) and before.contact is not null
    ) as contacts
from free
