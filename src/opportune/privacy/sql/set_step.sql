-- What is being done for the requests under way.
update privacy_request set step = %(step)s, error = %(error)s
where state = 'running'
