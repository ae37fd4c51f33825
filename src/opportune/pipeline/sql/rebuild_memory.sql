-- A part is a hundred times what a worker takes in at once: it is sorted and joined in memory.
set local work_mem = '64MB'
