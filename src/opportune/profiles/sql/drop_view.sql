-- Lets go of a view.
delete from people_view where title = %(title)s
