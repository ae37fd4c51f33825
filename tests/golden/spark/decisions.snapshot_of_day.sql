SELECT profile_id, user_id, `values`, eligible, version FROM features WHERE use_case = :use_case AND day = CAST(:day AS DATE) AND version = :version ORDER BY profile_id NULLS LAST
