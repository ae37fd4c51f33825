-- A temporary profile is noted before Braze is asked to make it: whatever happens then, it is removed later.
insert into braze_test_profile (external_id, base_url, use_case, made_by, noted_at)
values (%(external_id)s, %(base_url)s, %(use_case)s, %(made_by)s, %(now)s)
