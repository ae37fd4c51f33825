-- What is no longer true of days, or may not be: it is made anew from the lake.
delete from day_summary
where use_case = %(use_case)s and version = %(version)s and day = any(%(days)s::date[])
