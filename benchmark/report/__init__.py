"""From stored runs to tables, pictures and their verification."""
