-- Ends whatever lets somebody in.
delete from sign_in where name = %(name)s returning kind
