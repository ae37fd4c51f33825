-- Ends one session.
delete from sign_in where digest = %(digest)s and kind = 'session'
