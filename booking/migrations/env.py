"""What Alembic runs to apply the migrations, on the connection that `booking.store.migrate` hands over.

To write a new one: `alembic revision` needs no settings file; copy the last file of `versions/` instead.
This folder is no package on purpose: the action server imports every module of the package it serves.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
