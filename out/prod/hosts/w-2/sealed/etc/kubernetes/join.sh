{
	"data": "ENC[AES256_GCM,data:QJ6/PIZQJy/EKAs0mEaeHU97C+THsdIOqux7oV5PHgJQ5zJCxU9V92JGzWxxbfxAIdDqQIz28oH/kw/wPzvggaKMS/TgEz+y45pl+m3aTHn6XxTpstO2/splg/0I6NFd23+IAR2qAC9ggF5vuI2aEJoEXg/k2ljrfIBnHCbr3yP+bRYEQHZnh5mMqt/eOrIUfkvZB7sTEFc0wUCbJbJhsqqpuyqS9kN8JG/UKK1TtG7fw0W+pybmllPsedcROak0NXb+mVHMsRwnU3/ToxUdESBG+k+MIJpHjSIirkBxWx2psbGs9kgeblHeHPO46zqRZiEuGUgw4BmqkT1Mxphw/w9y/51xidF7f6rGzgO0EYRivIBSFOTNBDJCxmDvIPhOgO66tFYQt7DlGfn2jmW2gwFZM4Nrtw+zGraENxrcGWRfD/3uWagvbanRTUEu9scCsw/fKj5l0gOEjOgCBc48Ws+NbJvLJ3Yc+gxE/unXrQ7tSDLIeuv0nIFfhHC4X9DCzBbAjOT+/kgOZJZ+gT6wtj+iEZDV/xj+0g4Y2ldTRSWBupMKIgdNSjDu1yVU4ilIXrtStThy4P7QjHRYAl9bB8PKZDiqc2fumDQ2oGfuWqHVTORhq831Hzxjnzjrp7yIsggRICio/cuKNXjXHCIO0eOlAZxXMmtf6XvzXnEg0qOQesbXqJfACoZVmZB3jkAPoKuKtFqExkDKxragBy3F2gFyyNzkhT9xZppngoNBx9/ZmKMKj18OBL3uY1+JU2L5EEq0PPOzCx8/NuQ4oKIvirafurLg0o/xUvnNHAjgYAVpAn3eXGb+3rTAIEOqC199luG70KDhqd4aNIrVbicZsU7gCmwJftXXOZV6e8IK1tiu+AGI2/DVsS7dM8sbr9YxUF0ZvBWTFbXi+Axva1s=,iv:NdgqNB4X06VFg8g/lR9f2CxMCRJzBVo3gOr0M7HeoQc=,tag:jdH6Nl7+5MYPGN5yLyTbCw==,type:str]",
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
		"mac": "ENC[AES256_GCM,data:mik/2PJwIzhUMmOSAeurPVj2toiK/KP+Smd1og0LI62BTSPwYbpZw7m5d5RsWwwfHEOFniZDmvufcCZyFzhOA1ortMhLw/zPjWFXNqzrUGp+pooLW6XFliyKFRjJq2C2y84xO7xfatIXwnvoh7f01esBkUyk1mezbeGAmdYGhVg=,iv:FDWldzNWHkJBbd427Uw7Kd9lpD68Hh9oB6FPYlBERMk=,tag:Eb3SM+azNApAaX70LUlH3A==,type:str]",
		"unencrypted_suffix": "_unencrypted",
		"version": "3.11.0"
	}
}
