-- How many profiles there are.
select count(*) as profiles
from profile
