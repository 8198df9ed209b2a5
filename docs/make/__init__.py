"""What makes the files of docs/ that nobody writes by hand: pictures, the notice to print, the bill of materials."""
