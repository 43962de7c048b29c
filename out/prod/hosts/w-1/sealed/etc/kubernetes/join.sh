{
	"data": "ENC[AES256_GCM,data:h4qdXHzVP9K8Oq/OhKR6Q7XGrAa6a/BYlCryVEwkLm5xmvfUCjRonq+kJjwtOZgFO7DyrZFN7gAR2lgUuiYN5iR3c2I+qBLbodCfmSDXgbE7BPRr43wyQO3FKo0iA5v1lTTJdrgga/5pJonOXkjFnx+KGZEL4FQ20BBCWU3Xtn3YRBy5/vVMY74vNY2Qjxd9htyx3COKEcx1E8Ufu6tFAPslrcb18zf+jksncYeq0HCmwD/Gnwya3YWXtEL7cFPDWelo3z990l1WZ0MTTMgiZH7dcKA0vXN/fXM75/mALWTaT4rENDh2lkN8bluxDz5hEIAAwz8ps801sfa6cT/OUvwDlF31/DpuQA+Wr/9hq8pKQxnswDkEqeZnkn72R8wGVlRDV8FgxSYvFUDh1zP/pJkuMN92We3TVt0JyvQhFOWjzvudpZLdNujKUMArjT/jK4s+LTNPVNwiw/ocDNmTDi1mdhMGkGb+RbZD5gMsHY0ge7BCbSW1bYQkBbAQw5FOfOTFd0Qh4ZTL8A8My2bKvcD6+yYnB2to9+DR3LaJHs6SwMbo0di5Tzc/b7Mb5O1sHRZBjYhfvNl84yJA74DMTppFHnS/7d+g0drrJmkCkLbiwa9gjJzHNbz7TIV65KlYPxkrukt1qkq/eJkwUuzxawakQlUtXfmkBJGF7cqs9iRo0+Rnv2HxAzL3lJ8+AUJN3Q8eYxl4V2wbbsosAbNd54HRdH4g0yO4YgySH32OMGRqc7CYk4QlBt6/sBeCOaHxHPpn3RkntdGnwM3sl9agmXHKckPiD/HhbeHDwIpfcfivpv6yRAnJPhH+VZiGqLxveVO4CxomnznAgL5kfyQdKLxItNZDgcBSoUzoNk3qylcr/RQg+q1QFzwF8P9xSzxKY9mK/oipnQVpkl8oCqU=,iv:A6+j827m5omkXmWFrSi5DDiO07wxKtuETzfst7qd4fM=,tag:ptHe4Paylrs/EB8iZgh0vQ==,type:str]",
	"sops": {
		"age": [
			{
				"recipient": "age1qsywhdarwwwdfw4238pvcdvdch8x506kx5t7denc39eh4w0cfqssraun37",
				"enc": "-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBadlZrZHFJRGhDbWdsTFpB\nanpJTCsrNFJBd2J5eEhmSmdodjRramVaTkdvCkdlaGFvdkFUdmd3L1BJQlNkZjg1\nR004cVRYSWtjMitKZnBBM0pWY2lWdmMKLT4geyRSLTc/LWdyZWFzZQpZdUdRV3Zm\ncXpqNjdXcUN4eC9UNzArdXFFVTlBdUFWcXBwUU0zS3lLcnd4dlkwZHhDS0l6Nms0\nZWIyL1hDZmVPClRRS0N1VGFuYmJVbVdiU244MlF2ZzhzMFdhdTJCTytsMExRZGVn\nejRzZwotLS0gVjVVLzQ0RGhGb3k3NzJDUEdtTXdqbkhmWXpBTEtEc1luMkhuYmRE\nWWNHQQoK0NirMN3XfmzwHMFibN4hNnHHnyFTQ3WaQObXUDhYnZVUmHLQbHHNfcKY\nEdJZyprt1dxcAOIDTfUkCxDoZzaQ\n-----END AGE ENCRYPTED FILE-----\n"
			},
			{
				"recipient": "age1hxajfvf3quglwl9ty628hzcwvql0vtwmgcyg76xgyw6vjjjarfmqfescp4",
				"enc": "-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBLYVBOR1FxejNIZXJ4Vjho\nMW13cFBlOFZ0ck1IcHJ6d2h3YWtKWHRDVFRJCnVZeXNLV0VoMVo5LzhKK293bFJR\ncjNza1hRZWsyNVZBUUZxbTlFays0VXcKLT4gZVV5US1ncmVhc2UgUEFpXHtPPyAz\nTmI/Z0U5bSBoIChtIVYKc0t6RkUrMUNMQQotLS0gY09DTDdQeXhCemJXcDM3NFAv\nSlBqd2hjNnlXZjRucWlCRVkvRnhqRkE0UQqS4FGP1Ky+ABo6pWjtFlz9rqGdUPBf\nlsGKUW7zv+CHzsRtNMcinDxXWLMlZKFpeFY4t3RET0fVI/1v39m2aNcl\n-----END AGE ENCRYPTED FILE-----\n"
			}
		],
		"lastmodified": "2026-11-23T00:00:00Z",
		"mac": "ENC[AES256_GCM,data:hEa/Umit1LU3MzYIKilcMtgcg1huOVsbR0h5448IqQIJdOaJjw+IPcQr80OP79JE+owFxeCOTnTWphkv1Amnjq00LpgYykTwSOpx6z0OgVx0GT8yDgvMBXufWwmxPRqpZX3WvXJaQDFVCn0WbljMK34gylZhQtbNcRiDOjs8uMs=,iv:MijXTxLOOTOfywFohPZIgN8Q/+ajvGVbBwrjaQro9yc=,tag:cNaQ6EDedscEUPUcbdof3Q==,type:str]",
		"unencrypted_suffix": "_unencrypted",
		"version": "3.11.0"
	}
}
