-- Make room for what is built; nobody is told of it.
select begin_rebuild()
