-- Who is being forgotten, and how.
select subject.request_id, subject.kind, subject.value, subject.new_value, subject.identifier_id, subject.new_id,
    subject.profile_id, subject.new_profile_id, request.mode = 'erase' as erases
from privacy_subject as subject
join privacy_request as request on request.request_id = subject.request_id
order by subject.identifier_id
