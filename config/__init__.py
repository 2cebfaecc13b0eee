"""The deployment: environment, Django, Celery and the processes. Imports anything, imported by nothing."""
