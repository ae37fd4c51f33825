-- What came of the decisions of a day: one track call a customer whose outcome is not nothing, naming its decision.
select
    outcomes.place // $per_request as request,
    '{"batch":[' || string_agg(
        to_json({
            'type': 'track',
            'event': $event,
            'messageId': $event || '-' || outcomes.user_id,
            'userId': outcomes.user_id,
            'timestamp': $timestamp,
            'properties': {'decision_id': decisions.decision_id, 'value': outcomes.value}
        })::varchar,
        ',' order by outcomes.place
    ) || ']}' as body
from outcomes
join decisions on decisions.user_id = outcomes.user_id
where decisions.use_case = $use_case and decisions.day = cast($day as date) and outcomes.value <> 0
group by outcomes.place // $per_request
order by request
