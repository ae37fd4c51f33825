-- How many people are known, visitors included.
select count(*) as people from profile
