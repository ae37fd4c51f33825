-- From here on nothing is decided on request; what is being kept at this moment is waited for.
insert into on_request (use_case, epoch, deciding)
values (%(use_case)s, 1, %(day)s)
on conflict (use_case) do update set epoch = on_request.epoch + 1, deciding = excluded.deciding, held = 0
