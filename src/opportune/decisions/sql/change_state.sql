-- A state is kept once, however often it is said; a definition that says what it said before changes nothing.
with said as (
    select
        (
            select state from use_case_state
            where use_case = %(use_case)s
            order by change_id desc
            limit 1
        ) as now,
        (
            select state from use_case_state
            where use_case = %(use_case)s and by_definition
            order by change_id desc
            limit 1
        ) as defined
)
insert into use_case_state (use_case, state, changed_at, changed_by, by_definition)
select %(use_case)s, %(state)s, %(now)s, %(by)s, %(by_definition)s
from said
where case when %(by_definition)s then said.defined is distinct from %(state)s else coalesce(said.now, 'live') <> %(state)s end
returning state
