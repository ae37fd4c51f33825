-- What was seen when the guard rails were looked at; who looks again on the same day notes what holds then.
insert into guard_rail_look (
    use_case, day, metric, direction, allowed, days, look, recipients, affected, mean, m2, looked_at
)
values (
    %(use_case)s, %(day)s, %(metric)s, %(direction)s, %(limit)s, %(days)s, %(look)s, %(recipients)s, %(affected)s,
    %(mean)s, %(m2)s, %(now)s
)
on conflict (use_case, day, metric, direction) do update
set allowed = excluded.allowed, days = excluded.days, look = excluded.look, recipients = excluded.recipients,
    affected = excluded.affected, mean = excluded.mean, m2 = excluded.m2, looked_at = excluded.looked_at
