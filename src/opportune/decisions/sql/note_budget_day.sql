-- How a day was decided under its budget; who decides again notes again.
insert into budget_day (use_case, day, available, committed, shadow_price, decided, restricted, held_back)
values (
    %(use_case)s, %(day)s, %(available)s, %(committed)s, %(shadow_price)s, %(decided)s, %(restricted)s, %(held_back)s
)
on conflict (use_case, day) do update set
    available = excluded.available, committed = excluded.committed, shadow_price = excluded.shadow_price,
    decided = excluded.decided, restricted = excluded.restricted, held_back = excluded.held_back
