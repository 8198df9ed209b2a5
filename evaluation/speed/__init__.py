"""How fast, with what lag, with how much memory?"""
