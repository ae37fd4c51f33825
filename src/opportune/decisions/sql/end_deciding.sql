-- The day is decided, and in the lake.
update on_request set deciding = null where use_case = %(use_case)s and deciding = %(day)s
