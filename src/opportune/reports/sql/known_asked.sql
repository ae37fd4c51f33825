-- What was known when one decision was asked for.
select "values", forbidden, cooled, recent
from asked_features
where decision_id = $decision_id and day = cast($day as date)
order by decision_id
