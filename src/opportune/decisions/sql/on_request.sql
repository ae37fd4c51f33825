-- Where a use case stands: made when it is first asked about.
insert into on_request (use_case) values (%(use_case)s)
on conflict (use_case) do update set use_case = excluded.use_case
returning epoch, deciding, kept
