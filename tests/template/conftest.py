import os

# SAM's translator wants a region; set before collection, so that nobody's own settings play a part.
os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
