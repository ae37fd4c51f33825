-- Requests as the tracking protocol has them: one identify call a customer, what was known of it as its traits.
select
    place // $per_request as request,
    '{"batch":[' || string_agg(
        to_json({
            'type': 'identify',
            'messageId': 'identify-' || user_id,
            'userId': user_id,
            'timestamp': $timestamp,
            'traits': traits
        })::varchar,
        ',' order by place
    ) || ']}' as body
from customers
group by place // $per_request
order by request
