-- The newest versions of all computed traits, and of the metrics that they may be.
select distinct on (kind, name) kind, name, version, body
from definition
where kind in ('computed_trait', 'metric')
order by kind, name, version desc
