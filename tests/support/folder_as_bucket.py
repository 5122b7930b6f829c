"""A folder that a storage takes for a bucket: read ahead by threads, listed as a bucket is."""

from job_history.storage.local_folder import LocalFolder


class FolderAsBucket(LocalFolder):
    is_local = False
