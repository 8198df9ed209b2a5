"""The demonstrator in a browser: a folder of static files that any https server can host."""
