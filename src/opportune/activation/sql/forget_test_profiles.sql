-- Braze took the call that removes them.
delete from braze_test_profile
where external_id = any (%(external_ids)s)
