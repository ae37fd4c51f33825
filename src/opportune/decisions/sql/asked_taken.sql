-- These are to be one commit of the lake.
update asked_decision set batch = %(batch)s
where place = any(%(places)s) and kept_at is null and batch is null
