"""How fast, how late, how much memory?"""
